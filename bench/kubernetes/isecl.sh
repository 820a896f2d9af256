#!/bin/bash
# The upgrade of Intel SecL from v3.6 to v4.0 as its text has it, command for command and in its order: one service after the other, each
# waited for. `isecl` is the namespace that NAMESPACE names.
# usage: isecl.sh MANIFESTS ARCHIVES REGISTRY SHARE NAMESPACE BACKUP
set -eu
manifests=$1 archives=$2 registry=$3 share=$4 namespace=$5 backup=$6

# "Take back up of data in NFS mount for all services from NFS server system <NFS-Mount-Path>/isecl"
tar --create --format=posix --xattrs --acls --sparse --numeric-owner -C "$share" . | zstd -3 -T0 -q >"$backup"

# "Push all the newer version of container images to registry."
services='scs-db shvs-db cms aas scs shvs sqvs kbs sgx-agent isecl-controller ihub isecl-scheduler'
for service in $services; do
  skopeo copy --quiet "oci-archive:$archives/$service-v4.0.0.tar" "docker://$registry/isecl/$service:v4.0.0" --dest-tls-verify=false
done

# "Update the image name in existing deployment.yml of respective service."
# "cd /k8s/manifests/<service-manifests-folder> && kubectl kustomize . | kubectl apply -f -"
plain() {
  cd "$manifests/$1"
  sed -i 's/v3\.6\.0$/v4.0.0/' "$2.yml"
  kubectl kustomize . | kubectl apply -f -
  kubectl rollout status "$2/$1-$2" --namespace="$namespace" --timeout=300s
}

kbs() {
  cd "$manifests"
  sed -i 's/v3\.6\.0$/v4.0.0/' kbs/deployment.yml
  # "Add the following variables in kbs/configMap.yml"
  echo '  KMIP_HOSTNAME: kmip.example.com' >>kbs/configMap.yml
  kubectl apply -f kbs/configMap.yml --namespace="$namespace"
  # "(Optional) Add the following variables in kbs/secrets.yml if required KMIP_USERNAME and KMIP_PASSWORD"
  kubectl delete secret -n "$namespace" kbs-secret
  kubectl create secret generic kbs-secret --from-env-file=kbs/secrets.txt --namespace="$namespace"
  # "Run the upgrade job", "Check the status of kbs-upgrade job for completion."
  kubectl delete deployment -n "$namespace" kbs-deployment
  kubectl apply -f kbs/upgrade-job.yml --namespace="$namespace"
  kubectl wait --for=condition=complete job/kbs-upgrade -n "$namespace" --timeout=300s
  kubectl logs -n "$namespace" job/kbs-upgrade
  # "deploy the latest kbs"
  kubectl apply -f kbs/deployment.yml --namespace="$namespace"
  kubectl rollout status deployment/kbs-deployment --namespace="$namespace" --timeout=300s
}

for service in $services; do
  case $service in
    kbs) kbs ;;
    sgx-agent) plain "$service" daemonset ;;
    *) plain "$service" deployment ;;
  esac
done
