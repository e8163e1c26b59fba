"""Makes the bucket of DOCSREDIRECT_STORE where there is none: once the store answers, and before anything else runs."""

import os
import sys

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

bucket = os.environ["DOCSREDIRECT_STORE"].removeprefix("s3://").partition("/")[0]
client = botocore.session.get_session().create_client(
    "s3", region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"]
)
try:
    client.create_bucket(Bucket=bucket)
except ClientError as error:
    if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
        sys.exit(f"The bucket {bucket} could not be made: {error}.")
except BotoCoreError as error:
    sys.exit(f"The bucket {bucket} could not be made: {error}.")
